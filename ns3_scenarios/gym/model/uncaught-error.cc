/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "uncaught-error.h"

#include "opengym_interface.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <unistd.h>

namespace ns3
{

namespace
{

/// Exit status of a scenario that let an OpenGymError through.
constexpr int UNCAUGHT_ERROR = 2;

std::terminate_handler g_previousTerminate = nullptr;

/** The process is lost already; say why in one line and leave without a core file. */
[[noreturn]] void
EndOnUncaughtError()
{
    try
    {
        if (auto pending = std::current_exception())
        {
            std::rethrow_exception(pending);
        }
    }
    catch (const OpenGymError& error)
    {
        std::cout.flush();
        std::fflush(nullptr);
        std::fprintf(stderr, "%s\n", error.what());
        _exit(UNCAUGHT_ERROR);
    }
    catch (...)
    {
    }
    g_previousTerminate();
    std::abort();
}

} // namespace

void
SpeakUpWhenUncaught()
{
    if (!g_previousTerminate)
    {
        g_previousTerminate = std::set_terminate(EndOnUncaughtError);
    }
}

} // namespace ns3
