#include "proc/linked.h"

#include "core/base.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* Nothing can be lost: these segments are never written; what the linker itself writes (RELRO) lies in
 * others. */
static int linked_release_object(struct dl_phdr_info *object, UNUSED size_t size, void *arg)
{
    const uintptr_t page = *(const uintptr_t *)arg;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &object->dlpi_phdr[i];
        if (h->p_type != PT_LOAD || (h->p_flags & PF_W) != 0)
            continue;
        uintptr_t begin = (object->dlpi_addr + h->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + h->p_vaddr + h->p_filesz) & ~(page - 1);
        /* A page that the next segment shares stays. Failure costs memory and nothing else. */
        if (end > begin)
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void linked_release(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(linked_release_object, &page);
}
