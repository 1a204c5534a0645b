/**
 * One call for all keys that came while the last one ran: asking one by one would start a program for each. `ask` answers in the order of its keys; its
 * error is the error of each of them.
 */
export function batched<Key, Answer>(
  ask: (keys: readonly Key[]) => Promise<readonly Answer[]>,
): (key: Key) => Promise<Answer> {
  interface Waiting {
    readonly key: Key;
    readonly resolve: (answer: Answer | Promise<Answer>) => void;
  }
  let waiting: Waiting[] = [];
  let asking = false;

  async function askAll(): Promise<void> {
    asking = true;
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      const answers = ask(now.map(({ key }) => key));
      for (const [index, { resolve }] of now.entries()) resolve(answers.then((all) => all[index] as Answer));
      await answers.catch(() => undefined); // each waiting one got the error
    }
    asking = false;
  }

  return (key) =>
    new Promise((resolve) => {
      waiting.push({ key, resolve });
      if (!asking) void askAll();
    });
}
