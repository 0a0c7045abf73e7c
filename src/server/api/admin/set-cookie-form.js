// Opens an admin session, then redirects to the admin page.
import { openSession } from "../web/admin/session.js";

await openSession();
location.replace("../");
