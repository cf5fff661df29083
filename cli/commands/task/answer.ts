import { answerText, givenInputs } from '../../answering.ts';
import { decidedOutcome, RUN_OPTION, TASK_ARGUMENT } from '../../deciding.ts';
import { defineCommand } from '../../framework/command.ts';
import { named, optionalArgument, text } from '../../framework/options.ts';
import { chosenRun, withSession } from '../../session.ts';

export const taskAnswer = defineCommand({
  name: 'task answer',
  summary: "Answer an agent's question, or give a task the inputs that its file asks for",
  description:
    'At a terminal, what is missing is asked for. A secret input is not taken from the command line, which other users of the ' +
    'machine can see: it is typed unseen, or comes from a file or a variable. It is sealed before it leaves this process.',
  arguments: {
    task: TASK_ARGUMENT,
    text: optionalArgument('text', 'the answer to a question; "-" reads it from standard input'),
  },
  options: {
    run: RUN_OPTION,
    file: text('--file <path>', 'the answer to a question is in this file; "-" is standard input'),
    input: named('--input <name=value>', 'an input that is no secret; may be repeated'),
    inputFile: named('--input-file <name=path>', 'an input from a file, without its last line break; may be repeated'),
    inputEnv: named('--input-env <name=variable>', 'an input from the environment; may be repeated'),
  },
  examples: [
    { command: 'signalbox task answer 003 "Keep both spellings."', help: "to an agent's question" },
    { command: 'signalbox task answer 003', help: 'asks for what is missing' },
    { command: 'signalbox task answer 003 --input region=eu --input-env token=DEPLOY_TOKEN', help: 'for scripts' },
  ],
  run: async (context, { arguments: words, options }) =>
    await withSession(context, {}, async (session) => {
      const { decideTask, taskToDecide } = await import('../../../workers/runs/decide-task.ts');
      const run = await chosenRun(session, options.run);
      const waiting = await taskToDecide(session, run, words.task, 'answer');
      const given = {
        text: words.text,
        file: options.file,
        values: options.input ?? [],
        files: options.inputFile ?? [],
        variables: options.inputEnv ?? [],
      };
      if (waiting.kind === 'input') {
        const inputs = await givenInputs(context, waiting, given);
        if (inputs === null) return { result: null, text: '', exitCode: 130, printed: true };
        const { sealedInputs } = await import('../../../workers/runs/sealed-inputs.ts');
        const sealed = await sealedInputs(session, run, waiting, inputs);
        await decideTask(session, run, waiting, { outcome: 'answer', text: null, inputs: sealed });
        const missing = waiting.inputs.filter(({ name }) => !inputs.has(name)).map(({ name }) => name);
        const rest = missing.length === 0 ? '' : `; it still asks for ${missing.join(', ')}`;
        return decidedOutcome(run, waiting, 'answer', `has ${[...inputs.keys()].join(', ')}${rest}`);
      }
      const answer = await answerText(context, waiting, given);
      if (answer === null) return { result: null, text: '', exitCode: 130, printed: true };
      await decideTask(session, run, waiting, { outcome: 'answer', text: answer, inputs: {} });
      return decidedOutcome(run, waiting, 'answer', 'has its answer');
    }),
});
