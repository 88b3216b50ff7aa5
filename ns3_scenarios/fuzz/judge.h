/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What the fuzz targets have in common: an input is read, or refused by one line. Anything else that
 * is thrown ends the program, and so does what the sanitizers see: libFuzzer keeps the input then.
 */
#ifndef SPLITSIM_FUZZ_JUDGE_H
#define SPLITSIM_FUZZ_JUDGE_H

#include "../scenario/config-section.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace splitsim
{

/// Characters of a refusal.
constexpr std::size_t LONGEST_LINE = 2000;

/** Ends the program unless a refusal is one line. @param text what it says */
inline void
JudgeRefusal(const std::string& text)
{
    if (text.empty() || text.size() > LONGEST_LINE || text.find('\n') != std::string::npos)
    {
        std::fprintf(stderr, "a refusal that is not one line: %s\n", text.c_str());
        std::abort();
    }
}

/** A file that is only in memory, for readers that take a path. */
class MemoryFile
{
  public:
    MemoryFile()
        : m_handle(memfd_create("fuzz", MFD_CLOEXEC))
    {
        if (m_handle < 0)
        {
            std::perror("memfd_create");
            std::exit(1);
        }
    }

    ~MemoryFile()
    {
        close(m_handle);
    }

    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    /** Replaces the content. @param data bytes @param size how many. @return the file's path */
    std::string Hold(const uint8_t* data, std::size_t size) const
    {
        if (ftruncate(m_handle, 0) != 0 ||
            pwrite(m_handle, data, size, 0) != static_cast<ssize_t>(size))
        {
            std::perror("memory file");
            std::exit(1);
        }
        return "/proc/self/fd/" + std::to_string(m_handle);
    }

  private:
    int m_handle;
};

/**
 * Gives a file to a reader, which may refuse it by a ConfigError of one line.
 *
 * @param data the file's bytes
 * @param size how many
 * @param read called with the file's path
 * @return whether it was accepted
 */
template <typename Reader>
bool
IsAccepted(const uint8_t* data, std::size_t size, Reader read)
{
    static const MemoryFile file;
    try
    {
        read(file.Hold(data, size));
    }
    catch (const ConfigError& error)
    {
        JudgeRefusal(error.what());
        return false;
    }
    return true;
}

} // namespace splitsim

#endif // SPLITSIM_FUZZ_JUDGE_H
