/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_NETANIM_H
#define SPLITSIM_NETANIM_H

#include "ns3/node-container.h"

#include <memory>
#include <string>

namespace splitsim
{

/** Writes what happens in a simulation as an XML file for ns-3's NetAnim, until it is destroyed. */
class NetAnim
{
  public:
    /**
     * @param ues that are named and coloured, the agent's first; all nodes are there, the simulation does
     *        not run yet
     * @param path of the XML file
     * @throws ConfigError when the file can't be written, or ns-3 was built without NetAnim
     */
    NetAnim(const ns3::NodeContainer& ues, const std::string& path);
    ~NetAnim();

  private:
    class Writer;
    std::unique_ptr<Writer> m_writer;
};

} // namespace splitsim

#endif // SPLITSIM_NETANIM_H
