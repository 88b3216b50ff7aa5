$ns_ at 0.0 "$node_(0) setdest 10 0 1.0"
