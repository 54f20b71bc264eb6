/*
 * Copyright (C) ngx_commerce authors
 *
 * The outbox of a store that may be damaged: money events that did not reach the log yet.
 */

#ifndef COMMERCE_CLI_SALVAGE_H
#define COMMERCE_CLI_SALVAGE_H

#include "commerce_cli.h"

/*
 * Reads the store in folder, which nobody else has open, in a process of its own: whatever its file does to whoever
 * reads it, the caller goes on.  text: one event a line, to be freed by the caller; NULL when there is none.
 * COMMERCE_CLI_FAILED: it cannot be read, or not to its end; text is what came before.
 */
int commerce_cli_salvage(commerce_cli_t *cli, const char *folder, char **text, size_t *len);

#endif
