/* SPDX-License-Identifier: MIT */
/* See slot.h. */
#include "set/slot.h"

#include <string.h>

_Static_assert((ILB_ADDRESS_MAX + 1) % sizeof(ilb__a64) == 0,
               "an address is whole words");

ILB_INTERNAL void ilb__slot_set_address(ilb__slot *slot, const char *address)
{
    ilb__a64 *words = (ilb__a64 *)(void *)slot->address;
    uint64_t padded[ILB_ADDRESS_WORDS];

    memset(padded, 0, sizeof padded);
    memcpy(padded, address, strlen(address));
    /* Pairs with the fence in ilb__slot_address: who reads one of these words
     * sees the generation that the slot has been given before. */
    ilb__fence_release();
    for (size_t i = 0; i < ILB_ADDRESS_WORDS; i++)
        ilb__store_relaxed(&words[i], padded[i]);
}

ILB_INTERNAL bool ilb__slot_address(const ilb__slot *slot, uint32_t generation,
                                    char to[ILB_ADDRESS_MAX + 1])
{
    const ilb__a64 *words = (const ilb__a64 *)(const void *)slot->address;
    uint64_t copy[ILB_ADDRESS_WORDS];

    /* Pairs with the fence in ilb__table_publish: the generation may be of a
     * table of which no version has been read yet; its address is there. */
    ilb__fence_acquire();
    for (size_t i = 0; i < ILB_ADDRESS_WORDS; i++)
        copy[i] = ilb__load_relaxed(&words[i]);
    /* Pairs with the fence in ilb__slot_set_address: if one of these words was
     * of a later endpoint, so is the generation. */
    ilb__fence_acquire();
    if (ilb__load_generation(ilb__load_relaxed(&slot->load.word)) != generation)
        return false;
    memcpy(to, copy, sizeof copy);
    return true;
}
