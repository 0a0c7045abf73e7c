// Browser APIs missing from TypeScript's own declarations. Only the type check reads this file.

interface TrustedScriptURL {
  toString(): string;
}

interface TrustedScriptPolicy {
  createScriptURL(url: string): TrustedScriptURL;
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): TrustedScriptPolicy;
}

/** Missing in browsers without Trusted Types. */
declare var trustedTypes: TrustedTypes | undefined;

interface ServiceWorkerContainer {
  register(script: TrustedScriptURL, options?: RegistrationOptions): Promise<ServiceWorkerRegistration>;
}
