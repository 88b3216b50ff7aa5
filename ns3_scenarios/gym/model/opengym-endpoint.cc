/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "opengym-endpoint.h"

#include "opengym-error.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace ns3
{

namespace
{

const std::string TCP = "tcp://";
const std::string IPC = "ipc://";

[[noreturn]] void
Fail(const std::string& endpoint, const std::string& why)
{
    throw OpenGymError("ns3-gym bridge: can't connect to " + endpoint + ": " + why);
}

bool
IsPort(const std::string& text)
{
    return !text.empty() && text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(text) >= 1 && std::stoi(text) <= 65535;
}

/** @param error of connect(). @return whether an agent that starts later can make it go away */
bool
MayPass(int error)
{
    switch (error)
    {
    case ECONNREFUSED:
    case ENOENT: // the socket's file is made when the agent listens
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: // an address of IPv6 where there is none
    case EAGAIN:
    case EINTR:
        return true;
    default:
        return false;
    }
}

/** @return a connected socket, or -1 with errno */
int
ConnectedSocket(const sockaddr* address, socklen_t bytes)
{
    const int handle = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle < 0)
    {
        return -1;
    }
    // Interrupted, it is no use either: what became of it differs by the kind of address.
    if (connect(handle, address, bytes) == 0)
    {
        return handle;
    }
    const int error = errno;
    close(handle);
    errno = error;
    return -1;
}

} // namespace

Endpoint
Endpoint::Parse(const std::string& endpoint)
{
    Endpoint result;
    result.m_text = endpoint;
    if (endpoint.compare(0, IPC.size(), IPC) == 0)
    {
        result.m_path = endpoint.substr(IPC.size());
        if (result.m_path.empty() || result.m_path.size() >= sizeof(sockaddr_un::sun_path))
        {
            Fail(endpoint,
                 "a path has 1 to " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
        }
        return result;
    }
    const auto colon = endpoint.rfind(':');
    if (endpoint.compare(0, TCP.size(), TCP) != 0 || colon <= TCP.size() ||
        !IsPort(endpoint.substr(colon + 1)))
    {
        Fail(endpoint, "valid are tcp://HOST:PORT with a port from 1 to 65535 and ipc://PATH");
    }
    result.m_host = endpoint.substr(TCP.size(), colon - TCP.size());
    result.m_port = endpoint.substr(colon + 1);
    if (result.m_host.front() == '[' && result.m_host.back() == ']') // an address of IPv6
    {
        result.m_host = result.m_host.substr(1, result.m_host.size() - 2);
    }
    return result;
}

int
Endpoint::TryConnect() const
{
    return m_path.empty() ? TryConnectTcp() : TryConnectIpc();
}

int
Endpoint::TryConnectIpc() const
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, m_path.data(), m_path.size());
    auto bytes = offsetof(sockaddr_un, sun_path) + m_path.size();
    if (m_path.front() == '@')
    {
        address.sun_path[0] = '\0';
    }
    else
    {
        bytes++; // the zero at the end
    }
    const int handle = ConnectedSocket(reinterpret_cast<sockaddr*>(&address), bytes);
    if (handle < 0 && !MayPass(errno))
    {
        Fail(m_text, std::strerror(errno));
    }
    return handle;
}

int
Endpoint::TryConnectTcp() const
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(m_host.c_str(), m_port.c_str(), &hints, &found);
    if (status == EAI_AGAIN)
    {
        return -1;
    }
    if (status != 0)
    {
        Fail(m_text, gai_strerror(status));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
    for (const int family : {AF_INET, AF_INET6})
    {
        for (const auto* entry = found; entry; entry = entry->ai_next)
        {
            if (entry->ai_family != family)
            {
                continue;
            }
            const int handle = ConnectedSocket(entry->ai_addr, entry->ai_addrlen);
            if (handle >= 0)
            {
                const int on = 1; // a message is complete when it is sent: no wait for more
                setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                return handle;
            }
            if (!MayPass(errno))
            {
                Fail(m_text, std::strerror(errno));
            }
        }
    }
    return -1;
}

} // namespace ns3
