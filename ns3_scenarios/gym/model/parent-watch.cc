/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "parent-watch.h"

#include <cerrno>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace ns3
{

namespace
{

/// Exit status of a simulator whose agent is gone.
constexpr int PARENT_GONE = 3;

void
WaitForEndOfFile(int fd)
{
    char byte;
    while (true)
    {
        auto count = read(fd, &byte, 1);
        if (count == 0)
        {
            // Not exit(): the simulation's thread is running and owns the objects.
            _exit(PARENT_GONE);
        }
        if (count < 0 && errno != EINTR)
        {
            return;
        }
    }
}

} // namespace

void
WatchParent()
{
    static bool started = false;
    const char* value = std::getenv("PYAGENT_PARENT_FD");
    if (started || !value)
    {
        return;
    }
    char* end = nullptr;
    auto fd = std::strtol(value, &end, 10);
    if (end == value || *end != '\0' || fd < 0)
    {
        return;
    }
    started = true;
    std::thread(WaitForEndOfFile, static_cast<int>(fd)).detach();
}

} // namespace ns3
