import { useLive } from "../live/live.ts";
import { commandIn } from "../model/text.ts";
import { CommandLine, Nothing, Panel, Text } from "../parts/bits.tsx";
import { LongList } from "../parts/list.tsx";

export function WarningsPage() {
  const { status } = useLive();
  if (status === undefined) return <Nothing>Reading the cluster…</Nothing>;
  return (
    <Panel title="Warnings">
      {status.warnings.length === 0 && <Nothing>There are none.</Nothing>}
      <LongList
        items={status.warnings}
        kind="warnings"
        label="Warnings, the worst first"
        keyOf={({ message, hint }) => `${message} ${hint}`}
        draw={({ message, hint }) => {
          const command = commandIn(hint);
          return (
            <article class="warning-row">
              <strong>
                <Text>{message}</Text>
              </strong>
              <span class="dim">
                <Text>{hint}</Text>
              </span>
              {command !== undefined && <CommandLine command={command} />}
            </article>
          );
        }}
      />
    </Panel>
  );
}
