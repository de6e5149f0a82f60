/*
 * What this machine gives: one line per thing that the program would like to have.
 */
#include "role/cli.h"

#include "proc/cgroup.h"
#include "proc/landlock.h"
#include "proc/sandbox.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum finding { FINE, WORSE, BROKEN };

static enum finding doctor_kernel(struct err *text)
{
    struct utsname u;
    unsigned major = 0, minor = 0;
    uname(&u);
    bool known = sscanf(u.release, "%u.%u", &major, &minor) == 2;
    err_set(text, -1, 0, "Linux %s on %s; 5.12 or newer is needed", u.release, u.machine);
    return known && (major > 5 || (major == 5 && minor >= 12)) ? FINE : BROKEN;
}

static enum finding doctor_user(struct err *text)
{
    err_set(text, -1, 0,
            geteuid() == 0 ? "root: each isolate gets a user number of its own"
                           : "ordinary user: isolates live in user namespaces");
    return FINE;
}

static enum finding doctor_sandbox(struct err *text)
{
    int tier = sandbox_probe(text);
    if (tier == 1)
        err_set(text, -1, 0, "namespaces, seccomp and late mounts work");
    return tier == 1 ? FINE : BROKEN;
}

static enum finding doctor_landlock(struct err *text)
{
    int version = landlock_version();
    if (version == 0)
        err_set(text, -1, 0, "the kernel has none; the other layers stand");
    else
        err_set(text, -1, 0, "version %d", version);
    return version == 0 ? WORSE : FINE;
}

static enum finding doctor_cgroup(struct err *text)
{
    struct cgroup *cg;
    if (cgroup_open(&cg, text) < 0)
        return WORSE;
    err_set(text, -1, 0, "%s", cgroup_describe(cg));
    cgroup_close(cg);
    return FINE;
}

static enum finding doctor_files(struct err *text)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    err_set(text, -1, 0, "%llu open files per process; 65536 serve thousands of connections",
            (unsigned long long)files.rlim_max);
    return files.rlim_max >= 65536 ? FINE : files.rlim_max >= 4096 ? WORSE : BROKEN;
}

static enum finding doctor_machine(struct err *text)
{
    long pages = sysconf(_SC_PHYS_PAGES), cores = sysconf(_SC_NPROCESSORS_ONLN);
    long mb = pages / (1024 * 1024 / sysconf(_SC_PAGESIZE));
    err_set(text, -1, 0, "%ld cores, %ld MB of memory", cores, mb);
    return mb >= 512 ? FINE : WORSE;
}

static enum finding doctor_random(struct err *text)
{
    bool there = access("/dev/urandom", R_OK) == 0;
    err_set(text, -1, 0,
            there ? "/dev/urandom is readable" : "/dev/urandom is missing: no isolate starts");
    return there ? FINE : BROKEN;
}

int cli_doctor(UNUSED struct cli *cli)
{
    static const struct {
        const char *name;
        enum finding (*look)(struct err *text);
    } checks[] = {{"kernel", doctor_kernel},     {"user", doctor_user},
                  {"machine", doctor_machine},   {"sandbox", doctor_sandbox},
                  {"Landlock", doctor_landlock}, {"control groups", doctor_cgroup},
                  {"open files", doctor_files},  {"random numbers", doctor_random}};
    static const char *const marks[] = {[FINE] = "ok  ", [WORSE] = "note", [BROKEN] = "FAIL"};
    int status = 0;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct err text = {0};
        enum finding finding = checks[i].look(&text);
        printf("%s  %-15s %s\n", marks[finding], checks[i].name, text.text);
        if (finding == BROKEN)
            status = 1;
    }
    return status;
}
