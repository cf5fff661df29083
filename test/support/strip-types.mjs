import { stripTypeScriptTypes } from 'node:module';

/** Jest's transform: Node's own type stripping, so that tests run exactly what Node runs, line for line. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
};
