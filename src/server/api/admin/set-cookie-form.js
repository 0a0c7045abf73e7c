// Opens an admin session, then redirects to the admin page.
import { openSession } from "../web/admin/session.js";
import { offerLanguages } from "../web/ui/controls.js";

offerLanguages();
await openSession();
location.replace("../");
