/* Every way in which a test fails. */
export const throws = {
    test() {
        throw new TypeError('as expected');
    },
};

export const rejects = { test: () => Promise.reject(new Error('later')) };

export const neverEnds = { test: () => new Promise(() => {}) };

export const passes = { test() {} };
