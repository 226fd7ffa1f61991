/* SPDX-License-Identifier: MIT */
/* What error values mean: three views of the one table in ilb.h. */
#include "base/internal.h"

ILB_API const char *ilb_strerror(int error)
{
    switch (error) {
    case ILB_OK:
        return "success";
#define ERROR_TEXT(name, value, text)                                          \
    case ILB_E##name:                                                          \
        return text;
        ILB_ERROR_MAP(ERROR_TEXT)
#undef ERROR_TEXT
    default:
        return "unknown error";
    }
}

ILB_API const char *ilb_error_name(int error)
{
    switch (error) {
    case ILB_OK:
        return "ILB_OK";
#define ERROR_NAME(name, value, text)                                          \
    case ILB_E##name:                                                          \
        return "ILB_E" #name;
        ILB_ERROR_MAP(ERROR_NAME)
#undef ERROR_NAME
    default:
        return "ILB_E?";
    }
}

ILB_API const char *ilb_version(void)
{
    return ILB_VERSION;
}
