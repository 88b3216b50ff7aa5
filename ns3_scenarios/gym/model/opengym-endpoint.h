/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_ENDPOINT_H
#define OPENGYM_ENDPOINT_H

#include <string>

namespace ns3
{

/** Where an agent listens, in ZeroMQ's notation. */
class Endpoint
{
  public:
    /**
     * @param endpoint tcp://HOST:PORT, or ipc://PATH (ipc://@NAME for Linux's abstract names)
     * @throws OpenGymError it is neither
     */
    static Endpoint Parse(const std::string& endpoint);

    /**
     * Try each address that the host has, IPv4 first: that is where ZeroMQ listens by default.
     *
     * @return a connected socket; -1 where nobody listens yet
     * @throws OpenGymError nobody could be reached there later either
     */
    int TryConnect() const;

  private:
    int TryConnectTcp() const;
    int TryConnectIpc() const;

    std::string m_text; ///< as given
    std::string m_host; ///< empty for ipc
    std::string m_port; ///< 1 to 65535, in decimal
    std::string m_path;
};

} // namespace ns3

#endif // OPENGYM_ENDPOINT_H
