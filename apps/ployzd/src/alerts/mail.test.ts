import { createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { mail, mailTarget } from "./mail.ts";

it.each([
  [
    "smtp://mx.example.com/?from=a@x&to=b@x",
    { host: "mx.example.com", port: 587, secure: false, to: ["b@x"] },
  ],
  [
    "smtps://u%40x:p%2F@mx:2525/?from=a@x&to=b@x,c@x",
    { port: 2525, secure: true, auth: { user: "u@x", pass: "p/" }, to: ["b@x", "c@x"] },
  ],
])("%s is a target of mail", (text, expected) => {
  expect(mailTarget(text)).toMatchObject(expected);
});

it.each([
  "https://x/?from=a@x&to=b@x",
  "smtp://x/?to=b@x",
  "smtp://x/?from=a@x",
  "smtp://x/?from=a@x&to=b@x>,",
  "x",
])("%s is no target of mail", (text) => {
  expect(mailTarget(text)).toBeUndefined();
});

const message = {
  ...{ id: "01A", at: "2026-01-01T00:00:20.000Z", cluster: "prod", ended: [] },
  begun: [
    {
      code: "x",
      about: "m2",
      message: "m2 does not answer",
      hint: "look",
      since: "2026-01-01T00:00:00.000Z",
    },
  ],
};

/** An SMTP server without TLS, for one mail. */
async function server(): Promise<{ readonly port: number; readonly lines: string[]; close(): void }> {
  const lines: string[] = [];
  const talk = (socket: Socket) => {
    let inData = false;
    socket.write("220 test\r\n");
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      for (const line of chunk.split("\r\n").filter((one) => one !== "")) {
        lines.push(line);
        if (inData && line !== ".") continue;
        inData = line === "DATA";
        socket.write(inData ? "354 go\r\n" : line === "QUIT" ? "221 bye\r\n" : "250 ok\r\n");
      }
    });
  };
  const listening = createServer(talk);
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, lines, close: () => listening.close() };
}

it("sends a mail by SMTP to every recipient", async () => {
  const { port, lines, close } = await server();
  await mail(message, `smtp://127.0.0.1:${port}/?from=a@x.test&to=b@x.test,c@x.test`, 5_000);
  close();
  expect(lines).toEqual(
    expect.arrayContaining([
      "MAIL FROM:<a@x.test>",
      "RCPT TO:<b@x.test>",
      "RCPT TO:<c@x.test>",
      "Subject: [ployz prod] problem: m2 does not answer",
      "problem: m2 does not answer (look)",
    ]),
  );
});

it("sends no password to a server without TLS", async () => {
  const { port, lines, close } = await server();
  const target = `smtp://user:hidden@127.0.0.1:${port}/?from=a@x.test&to=b@x.test`;
  await expect(mail(message, target, 5_000)).rejects.toThrow();
  close();
  expect(lines.join(" ")).not.toMatch(/AUTH|hidden/);
});
