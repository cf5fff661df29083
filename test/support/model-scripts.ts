import type { ModelReply, ModelScript } from './scripted-model-server.ts';

/** What the scripted model does in one turn: commands one after the other, then a message. */
export interface TurnPlan {
  /** Shell commands, one `exec_command` call each. See {@link writeFile}. */
  commands: readonly string[];
  /** The agent's last message. Default: `done`. */
  message?: string;
  /** The reply to the turn's request with this number (0 is the first) waits for this. Default: none waits. */
  hold?: { request: number; until: Promise<void> };
}

/** A shell command that writes a file below the working directory, whatever its content is. */
export function writeFile(file: string, text: string): string {
  const quoted = `'${file.replaceAll("'", `'\\''`)}'`;
  const encoded = Buffer.from(text, 'utf8').toString('base64');
  return `mkdir -p "$(dirname ${quoted})" && printf %s '${encoded}' | base64 -d > ${quoted}`;
}

/** The reply that calls `exec_command`. */
export function execCommand(cmd: string, callId = 'call_1'): ModelReply {
  const item = {
    type: 'function_call',
    id: `fc_${callId}`,
    call_id: callId,
    name: 'exec_command',
    arguments: JSON.stringify({ cmd }),
  };
  return { items: [item] };
}

/** The reply that ends the turn with a message. */
export function finish(text = 'done'): ModelReply {
  return { items: [{ type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text }] }] };
}

/** A script that follows one plan in every turn. */
export function everyTurn(plan: TurnPlan): ModelScript {
  return (request) => follow(plan, request.toolOutputs.length);
}

/**
 * A script with plans for each task. The task of a request is the longest key that its prompt contains; the first turn
 * for it follows its first plan, the second its second (in another attempt or the same), and so on; the last plan stays.
 * A turn for nobody ends with the message `nothing to do`.
 */
export function byTask(tasks: Readonly<Record<string, readonly TurnPlan[]>>): ModelScript {
  const turns = new Map<string, string[]>();
  const keys = Object.keys(tasks).sort((a, b) => b.length - a.length);
  return (request) => {
    const key = keys.find((candidate) => request.prompt.includes(candidate));
    if (key === undefined) return finish('nothing to do');
    const seen = turns.get(key) ?? [];
    turns.set(key, seen);
    if (!seen.includes(request.turn)) seen.push(request.turn);
    const plans = tasks[key] ?? [];
    const plan = plans[Math.min(seen.indexOf(request.turn), plans.length - 1)];
    return plan === undefined ? finish() : follow(plan, request.toolOutputs.length);
  };
}

function follow(plan: TurnPlan, step: number): ModelReply {
  const command = plan.commands[step];
  const reply = command === undefined ? finish(plan.message) : execCommand(command, `call_${step + 1}`);
  return plan.hold?.request === step ? { ...reply, hold: plan.hold.until } : reply;
}
