import { domainToASCII } from "node:url";
import type { Json } from "../model/json.ts";

/** Hosts of routes as DNS has them: `bücher.example` is `xn--bcher-kva.example` (UTS 46). Others stay as they are written, for the schema to judge. */
export function withAsciiHosts(document: Json): Json {
  if (!isTable(document) || !isTable(document.services)) return document;
  const services = Object.entries(document.services).map(([name, service]) => [name, withHosts(service)]);
  return { ...document, services: Object.fromEntries(services) as Json };
}

function withHosts(service: Json): Json {
  if (!isTable(service) || !Array.isArray(service.routes)) return service;
  return {
    ...service,
    routes: service.routes.map((route: Json) =>
      isTable(route) && typeof route.host === "string" ? { ...route, host: asciiHost(route.host) } : route,
    ),
  };
}

/** A host with letters beyond ASCII, or its wildcard, as DNS has it. */
function asciiHost(host: string): string {
  if (!/[^\0-\x7f]/.test(host)) return host;
  const wildcard = host.startsWith("*.") ? "*." : "";
  const ascii = domainToASCII(host.slice(wildcard.length));
  return ascii === "" ? host : `${wildcard}${ascii}`;
}

const isTable = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
