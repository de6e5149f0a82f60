// The WebAssembly module behind two functions. One instance serves the whole isolate: its memory is only used
// between two awaits, never across one.
import module from "./text.wasm";

const wasm = new WebAssembly.Instance(module, {}).exports;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const DOCUMENT_MAX = wasm.input_max();

function give(bytes) {
  new Uint8Array(wasm.memory.buffer).set(bytes, wasm.input());
  return bytes.length;
}

// Passages of a document (UTF-8 bytes) as strings.
export function split(bytes) {
  const n = wasm.split(give(bytes));
  const places = new Uint32Array(wasm.memory.buffer, wasm.passage_table(), n * 2);
  return Array.from({ length: n }, (_, i) => decoder.decode(bytes.subarray(places[2 * i], places[2 * i + 1])));
}

// The words of a question that are worth searching for.
export function words(question) {
  const length = wasm.tokenise(give(encoder.encode(question.slice(0, 1000))));
  const list = new Uint8Array(wasm.memory.buffer, wasm.word_list(), length);
  return decoder.decode(list).split("\n").filter(Boolean);
}
