// The least that serves requests: for measuring the C side alone, and for tests of it.
(function (native, global) {
    'use strict';
    const { io } = native;
    let handler = null;
    return {
        load(specJson, evaluate, readFile) {
            handler = evaluate();
            return typeof handler === 'function' ? JSON.stringify(['fetch']) : handler;
        },
        request(ch, method, url, headers, cf, entrypoint, requestId, hasBody) {
            const done = (text) => {
                if (typeof text === 'string') io.respond(ch, 200, 0, -1, 'OK', 'content-type: text/plain\r\n', text);
                io.eventEnd(ch, 'ok', '');
            };
            const failed = (e) => {
                io.respond(ch, 500, 0, -1, '', '', String(e));
                io.eventEnd(ch, 'exception', JSON.stringify({ message: String(e) }));
            };
            try {
                const r = handler({ io, ch, method, url, headers, cf, requestId, hasBody, global });
                if (typeof r === 'object') r.then(done, failed);
                else done(r);
            } catch (e) {
                failed(e);
            }
        },
        scheduled(ch, ms, cron) {
            handler({ io, ch, cron });
            io.eventEnd(ch, 'ok', '');
        },
        abort(ch) {
            global.aborted = (global.aborted ?? 0) + 1;
        },
        timer() {
            global.onTimer?.();
        },
        unhandled(promise, reason) {
            (global.rejections ??= []).push(String(reason));
        },
        condemn(ch, outcome) {
            io.eventEnd(ch, outcome, '{"logs":["last words"]}');
        },
    };
})
