/*
 * A doubly linked list whose links live in the elements. Never allocates.
 *
 * A zeroed link is "in no list". The head is a link too; list_init() before use.
 */
#pragma once

#include "core/base.h"

struct link {
    struct link *prev, *next;
};

static inline void list_init(struct link *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct link *head)
{
    return head->next == head || head->next == NULL;
}

static inline bool link_is_in_list(const struct link *l)
{
    return l->next != NULL;
}

static inline void list_push_back(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_push_front(struct link *head, struct link *l)
{
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
}

/* Safe on a link that is in no list. */
static inline void list_remove(struct link *l)
{
    if (l->next == NULL)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = NULL;
}

/* NULL when empty. */
static inline struct link *list_pop_front(struct link *head)
{
    if (list_empty(head))
        return NULL;
    struct link *l = head->next;
    list_remove(l);
    return l;
}

#define LIST_FOR(it, head) for (struct link *it = (head)->next; it != (head); it = it->next)
/* The element may be removed inside the body. */
#define LIST_FOR_SAFE(it, head)                                                                    \
    for (struct link *it = (head)->next, *it##_next = it->next; it != (head);                      \
         it = it##_next, it##_next = it->next)
#define LIST_ENTRY(l, type, member) CONTAINER_OF(l, type, member)
