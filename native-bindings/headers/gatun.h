/*
 * How the headers of this folder declare things.
 *
 * They name only what Gatun calls. Read by themselves (by jextract, or by a C library that stands in for NVIDIA's) they
 * are complete. Compiled behind NVIDIA's own headers with GATUN_CHECK defined, they declare every function again and
 * compare every constant, so that any disagreement is an error of the compiler: see ../check.
 */
#ifndef GATUN_H
#define GATUN_H

#include <stddef.h>
#include <stdint.h>

#ifdef GATUN_CHECK
/* Types are NVIDIA's; constants are compared. */
#define GATUN_TYPE(type, name) _Static_assert(sizeof(type) == sizeof(name), #name)
#define GATUN_CONSTANT(name, value) _Static_assert((name) == (value), #name)
#else
/* Enumerations are ints, and handles pointers to who knows what. */
#define GATUN_TYPE(type, name) typedef type name
#define GATUN_CONSTANT(name, value) enum { name = value }
#endif

#endif
