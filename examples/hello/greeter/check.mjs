// The job: exits with an error, and so stops the deploy, when the greetings are not what the greeter can serve.
import { readFileSync } from "node:fs";

const greetings = JSON.parse(readFileSync(new URL("greetings.json", import.meta.url), "utf8"));
if (!Array.isArray(greetings) || greetings.length === 0)
  throw new Error("greetings.json must be a list of words");
for (const word of greetings) {
  if (typeof word !== "string" || word.trim() === "") throw new Error(`no greeting: ${JSON.stringify(word)}`);
}
console.log(`${greetings.length} greetings are in order`);
