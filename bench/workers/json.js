export default {
    fetch(request) {
        const url = new URL(request.url);
        const agent = request.headers.get("user-agent");
        return Response.json({ path: url.pathname, query: url.searchParams.get("q"), agent, items: [1, 2, 3, { name: "four" }] });
    },
};
