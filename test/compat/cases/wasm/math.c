// clang --target=wasm32 -nostdlib -O2 -Wl,--no-entry -Wl,--export-dynamic -o math.wasm math.c
// Also copied to cases/modules/math.wasm.

__attribute__((import_module("host"), import_name("report"))) void report(int value);

static int counter = 40;

__attribute__((export_name("add"))) int add(int a, int b)
{
    return a + b;
}

__attribute__((export_name("next"))) int next(void)
{
    counter += 1;
    return counter;
}

__attribute__((export_name("sum"))) long long sum(const unsigned char *bytes, int n)
{
    long long total = 0;
    for (int i = 0; i < n; i++) {
        total += bytes[i];
    }
    return total;
}

__attribute__((export_name("tell"))) void tell(int value)
{
    report(value * 2);
}

__attribute__((export_name("fail"))) int fail(int by)
{
    return 100 / by;
}

__attribute__((export_name("half"))) double half(double x)
{
    return x / 2;
}
