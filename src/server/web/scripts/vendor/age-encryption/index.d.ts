// Types of the parts of age-encryption that the pages use.

export class Encrypter {
  addRecipient(recipient: string): void;
  encrypt(file: Uint8Array | string): Promise<Uint8Array<ArrayBuffer>>;
}

export class Decrypter {
  addIdentity(identity: string): void;
  addPassphrase(passphrase: string): void;
  decrypt(file: Uint8Array, format?: "uint8array"): Promise<Uint8Array<ArrayBuffer>>;
  decrypt(file: Uint8Array, format: "text"): Promise<string>;
}

export function identityToRecipient(identity: string): Promise<string>;
