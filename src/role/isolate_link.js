/*
 * hooks.link(optionsJson, ...sources): what a linker isolate does for control. Answers with the code;
 * throws an Error whose message is the sentence for the client.
 */
import { link } from '../engine/js/linker.js';

function sentence({ text, module, line, column }) {
    return module === undefined ? text : `${text}\n    at ${module}:${line}:${column}`;
}

const TYPES = { cjs: 'commonjs', script: 'commonjs' };

export const hooks = {
    link(optionsJson, ...sources) {
        const options = JSON.parse(optionsJson);
        const modules = options.modules.map(({ name, type }, i) => ({
            name,
            type: TYPES[type] ?? type,
            source: sources[i],
        }));
        const { code, errors } = link({ main: options.main, modules, flags: options.flags ?? {} });
        if (errors.length > 0) throw new Error(errors.map(sentence).join('\n'));
        return code;
    },
};
