export type DnsErrorCode =
  | "dns_port_taken"
  | "dns_listen_failed"
  | "dns_zone_invalid"
  | "dns_options_invalid";

/** Shaped like every Ployz error (name, code, message, hint); this package imports none of the others. */
export class PloyzError extends Error {
  override readonly name = "PloyzError";
  readonly code: DnsErrorCode;
  readonly hint: string | undefined;

  constructor(
    fields: { readonly code: DnsErrorCode; readonly message: string; readonly hint?: string },
    options?: { readonly cause?: unknown },
  ) {
    super(fields.message, options);
    this.code = fields.code;
    this.hint = fields.hint;
  }
}
