import type { Command, Option } from "../../command.ts";

const name = {
  name: "name",
  summary: "The certificate: a host name, or *.example.com",
  required: true,
} as const;
const PREVIEW: Readonly<Record<string, Option>> = {
  preview: { type: "flag", short: "n", summary: "Show the plan and change nothing" },
};
const YES: Readonly<Record<string, Option>> = {
  yes: { type: "flag", short: "y", summary: "Do not ask for confirmation" },
};

export const certificateCommands: readonly Command[] = [
  {
    path: ["cert", "issue"],
    summary: "Issue a certificate of a certificate authority, by ACME",
    details: [
      "The authority asks for a file on port 80 of the name, and every machine's gateway answers it. Where the gateway does not listen on port 80, the authority opens a TLS connection on port 443 instead (TLS-ALPN-01). Each name must point to a gateway. The certificate is renewed by itself when a third of its lifetime is left. A route with tls = true needs no such command: the deploy issues the missing one.",
      "Without `cert account set` the authority is Let's Encrypt; issuing accepts its terms. Try with --staging first: the authority limits orders.",
      "With --dns the machine writes a TXT record instead. cloudflare: the secret is an API token that reads zones and edits their DNS. http: the secret is the URL of a bridge to any other provider, which takes POST /present and /cleanup with fqdn and value, as lego's httpreq does.",
    ],
    args: [
      {
        name: "names",
        summary: "Host names; the first one names the certificate",
        required: true,
        many: true,
      },
    ],
    options: {
      staging: { type: "flag", summary: "Use Let's Encrypt's staging environment: browsers do not trust it" },
      force: { type: "flag", summary: "Replace a certificate that is valid for the names" },
      challenge: {
        type: "text",
        value: "KIND",
        choices: ["http-01", "tls-alpn-01"],
        summary: "Prove the names on port 80 (http-01) or 443 (tls-alpn-01), also at renewals",
      },
      dns: {
        type: "text",
        value: "PROVIDER",
        choices: ["cloudflare", "http"],
        summary: "Prove the names by DNS records, as a wildcard needs",
      },
      secret: {
        type: "text",
        value: "NAMESPACE/SECRET",
        summary: "The provider's credentials: a secret of that name",
      },
      ...PREVIEW,
    },
    prints: ["operation", "plan", "detached"],
    examples: [
      "ployzctl cert issue www.example.com",
      "ployzctl cert issue example.com www.example.com --staging",
      "ployzctl cert issue '*.example.com' --dns cloudflare --secret ops/cloudflare",
    ],
    run: async (context, input) => (await import("./cert.ts")).issue(context, input),
  },
  {
    path: ["cert", "import"],
    summary: "Import a certificate that another program got",
    details: [
      "The file has the certificate and its intermediates as PEM. An expired one, one for other names, an RSA key below 2048 bits, a key of another certificate and a missing intermediate are refused.",
      "The key is sealed in the store like secrets; no command prints it. Import the renewed one under the same name: it is served without a reload.",
    ],
    args: [name],
    options: {
      cert: { type: "text", value: "FILE", source: "file", summary: "The chain, as PEM" },
      key: { type: "text", value: "FILE", source: "file", summary: "The key, as PEM without a passphrase" },
      "key-stdin": { type: "flag", summary: "Read the key from stdin" },
      ...PREVIEW,
    },
    prints: ["operation", "plan", "detached"],
    examples: ["ployzctl cert import www.example.com --cert chain.pem --key-stdin < key.pem"],
    run: async (context, input) => (await import("./cert.ts")).importFiles(context, input),
  },
  {
    path: ["cert", "renew"],
    summary: "Renew certificates before their schedule does",
    details: ["Without --force, only those of which a third of the lifetime or less is left."],
    args: [{ ...name, required: false }],
    options: {
      all: { type: "flag", summary: "All certificates of an authority" },
      force: { type: "flag", summary: "Renew although more of the lifetime is left" },
      ...PREVIEW,
    },
    prints: ["certificates", "operation", "plan", "detached"],
    examples: ["ployzctl cert renew www.example.com --force", "ployzctl cert renew --all -n"],
    run: async (context, input) => (await import("./cert.ts")).renew(context, input),
  },
  {
    path: ["cert", "ls"],
    summary: "List certificates: when they expire, and the next try to renew them",
    prints: ["certificates"],
    examples: ["ployzctl cert ls"],
    async run(context) {
      return (await context.client()).request("GET /v1/certificates", { signal: context.signal });
    },
  },
  {
    path: ["cert", "show"],
    summary: "Show one certificate",
    args: [name],
    prints: ["certificates"],
    examples: ["ployzctl cert show www.example.com --json"],
    run: async (context, input) => (await import("./cert.ts")).show(context, input),
  },
  {
    path: ["cert", "rm"],
    summary: "Remove a certificate that no route needs",
    args: [name],
    options: { ...PREVIEW, ...YES },
    prints: ["operation", "plan", "detached"],
    examples: ["ployzctl cert rm www.example.com"],
    run: async (context, input) => (await import("./cert.ts")).remove(context, input),
  },
  {
    path: ["cert", "account", "set"],
    summary: "Choose the certificate authority and its account",
    details: [
      "One authority for the cluster. Options that are left out stay as they are; an empty value removes one. The account's key is made when it is first needed, and sealed in the store.",
    ],
    options: {
      directory: {
        type: "text",
        value: "URL",
        summary: "letsencrypt, letsencrypt-staging, or an ACME directory's URL",
      },
      email: { type: "text", value: "ADDRESS", summary: "Where the authority may write to" },
      "ca-root": {
        type: "text",
        value: "FILE",
        source: "file",
        summary: "The root of a private authority's own server, as PEM",
      },
      "eab-kid": { type: "text", value: "ID", summary: "The id of an external account" },
      "eab-key-stdin": { type: "flag", summary: "Read the external account's HMAC key from stdin" },
    },
    prints: ["certificate-account"],
    examples: [
      "ployzctl cert account set --email ops@example.com",
      "ployzctl cert account set --directory https://ca.test/dir --ca-root ca.pem",
    ],
    run: async (context, input) => (await import("./account.ts")).setAccount(context, input),
  },
  {
    path: ["cert", "account", "show"],
    summary: "Show the certificate authority and its account",
    prints: ["certificate-account"],
    examples: ["ployzctl cert account show"],
    async run(context) {
      return (await context.client()).request("GET /v1/certificate-account", { signal: context.signal });
    },
  },
];
