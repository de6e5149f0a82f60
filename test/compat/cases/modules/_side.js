(globalThis.sideEffects ??= []).push("side");
