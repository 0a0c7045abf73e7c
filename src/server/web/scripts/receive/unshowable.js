// Error of previews.

/** The browser cannot show the file. */
export class Unshowable extends Error {}
