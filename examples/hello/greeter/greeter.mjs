// Answers GET /?name=Ada with a greeting.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const greetings = JSON.parse(readFileSync(new URL("greetings.json", import.meta.url), "utf8"));
let next = 0;

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://greeter");
  if (url.pathname === "/healthz") return response.end("ok\n");
  const word = greetings[next++ % greetings.length];
  response.end(`${word}, ${url.searchParams.get("name") ?? "world"}!\n`);
});

server.listen(Number(process.env.PORT), () => console.log(`greeter listens on ${process.env.PORT}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
