/** Release keys: what has to have signed a build before a machine installs it. A key is base64 of its SubjectPublicKeyInfo (RFC 8410, Ed25519). */
export interface Releases {
  /** This machine's own key. Absent: it installs builds without a signature. */
  key(): Promise<string | undefined>;
  /** Whether this key signed the build that this machine runs. */
  signedBy(key: string): Promise<boolean>;
}
