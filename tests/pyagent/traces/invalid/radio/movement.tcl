$node_(0) set X_ 1.0
