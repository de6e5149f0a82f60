/*
 * Pages of libraries that only the start of a process reads: symbols and relocations for the dynamic linker,
 * constructors, of some sixty of them.
 */
#pragma once

/* Unmaps what is never written of the program and its libraries, some 7 MB by then; what is used again comes back
 * from the page cache. Once, in a process that was executed and stays: forked ones begin without these pages. */
void linked_release(void);
