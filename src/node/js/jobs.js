/* How functions with callbacks compute: at once, or on another thread (engine/vm_job.h). */

/* Runs now, tells later. */
function later(callback, run) {
    let result, error = null;
    try {
        result = run();
    } catch (e) {
        error = e;
    }
    queueMicrotask(() => (error === null ? callback(null, result) : callback(error)));
}

/* What may take long is { start, use }: start(done) calls a native that may leave this thread, use() makes the result of
 * what that gives. One of the two throws when there is none. */
const now = ({ start, use }) => use(start(undefined));
function soon(callback, { start, use }) {
    new Promise((resolve) => resolve(web.context.computed(start)))
        .then((value) => later(callback, () => use(value)), (error) => later(callback, () => { throw error; }));
}

module.exports = { later, now, soon };
