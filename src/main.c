/*
 * One program: with `--role NAME` it is a child of the supervisor, else a command for people. Roles that
 * the supervisor forks do not come through here.
 */
#include "proc/spawn.h"
#include "role/cli.h"
#include "role/roles.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    spawn_title_room(argc, argv);
    if (argc != 3 || strcmp(argv[1], "--role") != 0)
        return cli_main(argc, argv);
    const struct role *role = role_find(argv[2]);
    if (role == NULL) {
        fprintf(stderr, "selvedge: there is no role %s\n", argv[2]);
        return 2;
    }
    return role_main(role);
}
