import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Message, titleOf, write } from "./message.ts";

const condition = {
  ...{ code: "machine_unreachable", about: "m2", message: "m2 <does> not answer", hint: "ssh m2 & look" },
  since: "2026-01-01T00:00:00.000Z",
};
const message: Message = {
  ...{ id: "01A", at: "2026-01-01T00:00:20.000Z", cluster: "prod", begun: [condition], ended: [] },
};

describe("write", () => {
  it("writes JSON with every field, signed over its bytes", () => {
    const { body, headers } = write(message, "json", "a key of sixteen");
    expect(JSON.parse(body)).toEqual({ v: 1, ...message });
    const hmac = createHmac("sha256", "a key of sixteen").update(body).digest("hex");
    expect(headers).toMatchObject({ "Ployz-Alert-Id": "01A", "Ployz-Signature": `sha256=${hmac}` });
    expect(write(message, "json").headers).not.toHaveProperty("Ployz-Signature");
  });

  it("writes text for Slack, whose marks are escaped, and for ntfy", () => {
    expect(JSON.parse(write(message, "slack").body)).toEqual({
      text: "prod\nproblem: m2 &lt;does&gt; not answer (ssh m2 &amp; look)",
    });
    const { body, headers } = write({ ...message, begun: [], ended: [condition] }, "ntfy");
    expect(body).toBe("prod\nover: m2 <does> not answer (since 2026-01-01T00:00:00.000Z)");
    expect(headers).toMatchObject({ Title: "ployz prod", Priority: "default" });
  });

  it("writes text for Mattermost and Discord, without mentions and marks", () => {
    const marked = { ...message, begun: [{ ...condition, message: "prod_*web* fails" }] };
    expect(JSON.parse(write(marked, "mattermost").body).text).toContain("prod\\_\\*web\\* fails");
    const many = {
      ...message,
      begun: Array.from({ length: 20 }, () => ({ ...condition, hint: "x".repeat(300) })),
    };
    const discord = JSON.parse(write(many, "discord").body) as { readonly content: string };
    expect(discord).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(discord.content.length).toBeLessThanOrEqual(2_000);
    expect(discord.content).toMatch(/\nand 15 more: ployzctl status$/);
  });

  it("leaves out whole lines where a receiver takes no more, and says how many; a line too long is cut with a mark", () => {
    const long = { ...condition, message: "ü*".repeat(2_000) };
    const many = { ...message, begun: Array.from({ length: 30 }, () => long), omitted: 3 };
    for (const [format, most] of [
      ["slack", 40_000],
      ["mattermost", 16_383],
      ["discord", 2_000],
      ["ntfy", 4_096],
    ] as const) {
      const { body } = write(many, format);
      const parsed = format === "ntfy" ? { text: body } : (JSON.parse(body) as { [name: string]: string });
      const text = parsed["text"] ?? parsed["content"] ?? "";
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most);
      expect(text).toMatch(/\nand [0-9]+ more: ployzctl status\nand 3 earlier ones[^\n]+$/);
    }
    expect(write(many, "ntfy").body).toContain("…");
    expect(JSON.parse(write(many, "json").body)).toMatchObject({ omitted: 3 });
  });

  it("has one line as the subject of a mail", () => {
    const long = { ...message, begun: [{ ...condition, message: "a\nb" }, condition] };
    expect(titleOf(long)).toBe("[ployz prod] problem: a b (and 1 more)");
  });

  it("shows at most twenty lines", () => {
    const many = { ...message, begun: Array.from({ length: 30 }, () => condition) };
    expect(write(many, "ntfy").body.split("\n").at(-1)).toBe("and 10 more: ployzctl status");
  });
});
