/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The bytes of a connection from the agent: handshake, commands and answers.
 */
#include "judge.h"
#include "opengym-error.h"
#include "zmtp-request.h"

#include <cstring>
#include <sys/socket.h>

namespace
{

constexpr int REQUESTS = 4;

/** Asks some times, whatever comes. @param socket what the bytes come from; closed afterwards */
void
Talk(int socket)
{
    ns3::ZmtpRequester requester(socket);
    requester.Greet();
    for (int i = 0; i < REQUESTS; i++)
    {
        std::memset(requester.Prepare(300), i, 300);
        requester.Send();
        const auto answer = requester.Receive();
        std::string copy(answer); // reads every byte
    }
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    int handles[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, handles) != 0)
    {
        std::abort();
    }
    // Fits in the kernel's buffer, so nothing waits.
    if (send(handles[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && size > 0)
    {
        std::abort();
    }
    shutdown(handles[1], SHUT_WR);
    try
    {
        Talk(handles[0]);
    }
    catch (const ns3::OpenGymError& error)
    {
        splitsim::JudgeRefusal(error.what());
    }
    close(handles[1]);
    return 0;
}
