// What ends on this machine, for reasons of this browser's.

/** The person has stopped the download where the browser shows it, or the browser has. */
export class Stopped extends Error {
  constructor() {
    super("the browser has stopped the download");
    this.name = "Stopped";
  }
}

/** The file is larger than this browser can take from a page. */
export class TooLarge extends Error {
  constructor() {
    super("this browser can take a file of this size only with sgsend download");
    this.name = "TooLarge";
  }
}
