// Asks the greeter, by its name, and says which instance of `web` answered.
import { createServer } from "node:http";
import { hostname } from "node:os";

const server = createServer((request, response) => void answer(request, response));

async function answer(request, response) {
  const url = new URL(request.url ?? "/", "http://web");
  if (url.pathname === "/healthz") return response.end("ok\n");
  try {
    const greeting = await fetch(
      `${process.env.GREETER}/?name=${encodeURIComponent(url.searchParams.get("name") ?? "world")}`,
      {
        signal: AbortSignal.timeout(5000),
      },
    );
    response.end(`${await greeting.text()}(from ${hostname()}, through ${request.headers.host})\n`);
  } catch (error) {
    response.statusCode = 502;
    response.end(`the greeter did not answer: ${error.cause?.message ?? error.message}\n`);
  }
}

server.listen(Number(process.env.PORT), () => console.log(`web listens on ${process.env.PORT}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
