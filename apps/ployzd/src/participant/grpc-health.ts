import { connect, constants } from "node:http2";

const PATH = "/grpc.health.v1.Health/Check";
/** A `HealthCheckResponse` has two bytes; whoever sends more is no health service. */
const LARGEST = 1024;
/** `HealthCheckResponse.ServingStatus`. */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** A `HealthCheckRequest` in a gRPC message: no compression, 4 bytes of length, and field 1 with the service's name. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service, "ascii");
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(field.length, 1);
  return Buffer.concat([head, field]);
}

/** The `status` in a gRPC message; 0 when the field is left out, as proto3 does with it. `undefined`: no such message. */
export function healthStatus(message: Buffer): number | undefined {
  if (message.length < 5 || message[0] !== 0 || message.readUInt32BE(1) !== message.length - 5)
    return undefined;
  if (message.length === 5) return 0;
  return message.length === 7 && message[5] === 0x08 ? message[6] : undefined;
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The gRPC health protocol over HTTP/2 with prior knowledge. `undefined`: SERVING. Otherwise the reason. */
export function askGrpc(
  { address, port, service }: { readonly address: string; readonly port: number; readonly service: string },
  timeoutMs: number,
): Promise<string | undefined> {
  const what = `gRPC health on port ${port}`;
  return new Promise((resolve) => {
    const session = connect(`http://${address}:${port}`);
    const end = (why: string | undefined) => {
      clearTimeout(late);
      session.destroy();
      resolve(why);
    };
    const late = setTimeout(() => end(`${what}: no answer within ${Math.round(timeoutMs)} ms`), timeoutMs);
    session.on("error", (error) => end(`${what}: ${error.message}`));
    session.on("close", () => end(`${what}: the connection was closed`));
    const asking = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: PATH,
      ...{ "content-type": "application/grpc", te: "trailers", "user-agent": "ployz-readiness" },
    });
    let status = 0;
    let grpc: unknown;
    const body: Buffer[] = [];
    let bytes = 0;
    // An error may stand in the headers: an answer without a body.
    asking.on("response", (headers) => {
      status = Number(headers[constants.HTTP2_HEADER_STATUS] ?? 0);
      grpc = headers["grpc-status"];
    });
    asking.on("trailers", (headers) => {
      grpc = headers["grpc-status"];
    });
    asking.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LARGEST) end(`${what}: not a health answer`);
      else body.push(chunk);
    });
    asking.on("error", (error) => end(`${what}: ${error.message}`));
    asking.on("end", () => end(verdict(what, { status, grpc, message: Buffer.concat(body) })));
    asking.end(healthRequest(service));
  });
}

function verdict(
  what: string,
  { status, grpc, message }: { readonly status: number; readonly grpc: unknown; readonly message: Buffer },
): string | undefined {
  if (status !== 200) return `${what} answered ${status}`;
  if (grpc === "12") return `${what}: the server has no grpc.health.v1.Health`;
  if (grpc === "5") return `${what}: the server does not know this service`;
  if (grpc !== "0") return `${what}: gRPC status ${String(grpc)}`;
  const serving = healthStatus(message);
  return serving === 1
    ? undefined
    : `${what} is ${serving === undefined ? "not a health answer" : (STATUSES[serving] ?? serving)}`;
}
