// Opens an admin session, and leads to the admin page.
import { openSession } from "../web/admin-session.js";

await openSession();
location.replace("../");
