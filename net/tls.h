/*
 * The certificate of a daemon's HTTPS server, from PEM files.  There is one in
 * a process, since GnuTLS's call-back that asks for it has no argument.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "offload/error.h"

#define TLS_CHAIN_MAX 16          /* certificates in a file */
#define TLS_FILE_MAX (256u << 10) /* bytes of a file */
/* TLS 1.2 and 1.3; of their ciphers those that GnuTLS calls normal. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/*
 * Loads both files, or says which is wrong and keeps what there is. Connections
 * go on with the certificate that they began with.
 */
int tls_load(const char *cert, const char *key, struct ol_error *err);
/* When no connection is left. */
void tls_unload(void);

/* gnutls_certificate_retrieve_function2 */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *names,
                 int name_count, const gnutls_pk_algorithm_t *algorithms,
                 int algorithm_count, gnutls_pcert_st **ret_chain,
                 unsigned *ret_count, gnutls_privkey_t *ret_key);

#endif
