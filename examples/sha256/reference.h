// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 in software, to compare the accelerator with.

#ifndef REFERENCE_H
#define REFERENCE_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

// Writes the digest of `size` bytes.
void reference_sha256(const uint8_t *message, size_t size, uint8_t digest[DIGEST_BYTES]);

#endif
