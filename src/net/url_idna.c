/*
 * Domain to ASCII: UTS 46, non-transitional, by ICU. The only file that includes ICU here.
 */
#include "net/url_impl.h"

#include <errno.h>
#include <pthread.h>
#include <unicode/uidna.h>

/* What the standard does not ask to be checked (CheckHyphens and VerifyDnsLength are false). */
enum {
    URL_IDNA_IGNORED = UIDNA_ERROR_EMPTY_LABEL | UIDNA_ERROR_LABEL_TOO_LONG |
                       UIDNA_ERROR_DOMAIN_NAME_TOO_LONG | UIDNA_ERROR_LEADING_HYPHEN |
                       UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4
};

static UIDNA *url_idna; /* immutable once made; lives as long as the process */

static void url_idna_open(void)
{
    UErrorCode code = U_ZERO_ERROR;

    url_idna =
        uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII |
                            UIDNA_NONTRANSITIONAL_TO_UNICODE,
                        &code);
    CHECK(U_SUCCESS(code));
}

int url_domain_to_ascii(struct arena *arena, struct slice domain, struct slice *ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode code = U_ZERO_ERROR;
    int32_t room = 2 * URL_HOST_MAX;

    if (domain.len > URL_HOST_MAX)
        return -EBADMSG;
    CHECK(pthread_once(&once, url_idna_open) == 0);
    char *text = arena_alloc(arena, (size_t)room);
    if (text == NULL)
        return -ENOMEM;

    int32_t len =
        uidna_nameToASCII_UTF8(url_idna, domain.ptr, (int32_t)domain.len, text, room, &info, &code);
    if (U_FAILURE(code) || len <= 0 || len > room || (info.errors & ~URL_IDNA_IGNORED) != 0)
        return -EBADMSG;
    *ret = slice_from(text, (size_t)len);
    return 0;
}
