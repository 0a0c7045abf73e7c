// Errors that the browser causes, not the server.

/** The user or the browser stopped the download in the browser's download list. */
export class Stopped extends Error {
  constructor() {
    super("the browser has stopped the download");
    this.name = "Stopped";
  }
}

/** The file is larger than this browser can save from a page. */
export class TooLarge extends Error {
  constructor() {
    super("this browser can take a file of this size only with sgsend download");
    this.name = "TooLarge";
  }
}
