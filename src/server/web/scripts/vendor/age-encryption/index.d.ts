/** Encrypts files for recipients. */
export class Encrypter {
  /** Adds a recipient, `age1…`. */
  addRecipient(recipient: string): void;
  encrypt(file: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}
/** Decrypts files with identities. */
export class Decrypter {
  /** Adds an identity, `AGE-SECRET-KEY-1…`. */
  addIdentity(identity: string): void;
  decrypt(file: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}
export function generateX25519Identity(): Promise<string>;
export function identityToRecipient(identity: string): Promise<string>;
