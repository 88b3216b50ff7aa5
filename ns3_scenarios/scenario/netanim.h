/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_NETANIM_H
#define SPLITSIM_NETANIM_H

#include "world.h"

#include <memory>
#include <string>

namespace splitsim
{

/** Writes what happens in a world as an XML file for ns-3's NetAnim, until it is destroyed. */
class NetAnim
{
  public:
    /**
     * @param world after it was built, before the simulation runs
     * @param path of the XML file
     * @throws ConfigError when the file can't be written, or ns-3 was built without NetAnim
     */
    NetAnim(const World& world, const std::string& path);
    ~NetAnim();

  private:
    class Writer;
    std::unique_ptr<Writer> m_writer;
};

} // namespace splitsim

#endif // SPLITSIM_NETANIM_H
